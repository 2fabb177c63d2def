/** @jsxRuntime automatic */
import { StrictMode, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { TailwireProvider, useClientLogs, useNodeStatus, useWebSocket } from '../../client/react/index.ts';

/** A page for tests that shows what the hooks return. `window.gatewayUrl` says where to connect. */
function Page() {
  const [shown, setShown] = useState(true);
  return (
    <>
      <button type="button" onClick={() => setShown(!shown)}>
        {shown ? 'Hide' : 'Show'}
      </button>
      {shown && <Everything />}
      {shown && <All />}
    </>
  );
}

function Everything() {
  const renders = useRef(0);
  renders.current += 1;
  const connection = useWebSocket();
  const node = useNodeStatus();
  const logs = useClientLogs('execution');
  const lines = logs.lines.map((item) => (item.kind === 'line' ? item.line : item.reason));
  return (
    <>
      <p id="status">{connection.status}</p>
      <p id="node">{node.status}</p>
      <p id="lines">{lines.join(',')}</p>
      <p id="new">{logs.newCount}</p>
      <p id="renders">{renders.current}</p>
      <button type="button" onClick={logs.paused ? logs.resume : logs.pause}>
        {logs.paused ? 'Resume' : 'Pause'}
      </button>
      <button type="button" onClick={() => logs.setFilter({ text: 'o' })}>
        Only o
      </button>
    </>
  );
}

function All() {
  const { lines } = useClientLogs({ service: 'execution.service' });
  return <p id="all">{lines.map((item) => (item.kind === 'line' ? item.line : item.reason)).join(',')}</p>;
}

const root = document.getElementById('root');
const { gatewayUrl } = window as unknown as { gatewayUrl: string };
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <TailwireProvider url={gatewayUrl} token="t" lingerMs={500}>
        <Page />
      </TailwireProvider>
    </StrictMode>,
  );
}
