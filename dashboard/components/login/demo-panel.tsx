import { Play } from 'lucide-react';
import { Button } from '../ui/button.tsx';

/** The shortest way to moving lines: a simulated host inside the gateway. */
export function DemoPanel({ busy, open }: { busy: boolean; open: () => void }) {
  return (
    <section aria-label="Demo node" className="rounded-xl border border-accent/50 bg-surface p-4">
      <Button look="primary" className="w-full text-base" disabled={busy} onClick={open}>
        <Play aria-hidden="true" className="h-4 w-4" />
        Open the demo node
      </Button>
      <p className="mt-2 text-center text-sm text-muted">
        A simulated Ethereum node, reached over SSH like any other host.
      </p>
    </section>
  );
}
