import { NodePage } from '../../components/node/node-page.tsx';

export default function Page() {
  return <NodePage />;
}
