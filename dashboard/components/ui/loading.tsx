import { LoaderCircle } from 'lucide-react';

/** A page that waits for the gateway's first answer. */
export function Loading({ text }: { text: string }) {
  return (
    <main className="flex min-h-dvh items-center justify-center gap-3 text-muted">
      <LoaderCircle aria-hidden="true" className="h-5 w-5 motion-safe:animate-spin" />
      <p role="status">{text}</p>
    </main>
  );
}
