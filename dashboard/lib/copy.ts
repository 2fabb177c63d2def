import { toast } from 'sonner';

/**
 * Copies a text and says so. Text of the log must have been through `plainText` or `plainJson`: a clipboard ends in
 * terminals. Pages without TLS have no clipboard interface; the old command still works there. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    if (navigator.clipboard === undefined) copyBySelection(text);
    else await navigator.clipboard.writeText(text);
    toast.success(`${what} copied`, { duration: 1500 });
  } catch {
    toast.error('The browser did not allow copying.');
  }
}

function copyBySelection(text: string): void {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'fixed opacity-0';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('copy refused');
}
