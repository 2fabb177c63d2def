'use client';

import { Download, SquareTerminal } from 'lucide-react';
import { DropdownMenu } from 'radix-ui';
import { toast } from 'sonner';
import { GatewayRequestError, isFiltering, type LogFilter } from 'tailwire/client';
import { copyText } from '../../lib/copy.ts';
import { downloadQuery, startDownload } from '../../lib/download.ts';
import { journalctlCommand } from '../../lib/journalctl.ts';
import { plainText } from '../../lib/line-tokens.ts';
import { Button } from '../ui/button.tsx';

const CHOICES = [
  { label: 'Last hour', hours: 1, format: 'txt' },
  { label: 'Last 24 hours', hours: 24, format: 'txt' },
  { label: 'Last 7 days', hours: 24 * 7, format: 'txt' },
  { label: 'Last 24 hours as JSON lines', hours: 24, format: 'ndjson' },
] as const;

/** The service's lines as a file, straight from the host's journal, with the filter in effect; and how to see them there. */
export function DownloadMenu({ service, filter }: { service: string; filter: LogFilter }) {
  function start(hours: number, format: 'txt' | 'ndjson'): void {
    startDownload(service, downloadQuery(hours, format, filter)).catch((error: unknown) => {
      toast.error(error instanceof GatewayRequestError ? error.message : 'The download failed.');
    });
  }

  const command = plainText(journalctlCommand(service, filter));
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <Button look="quiet" size="icon" aria-label="Download" title="Download">
          <Download aria-hidden="true" className="h-[1.05rem] w-[1.05rem]" />
        </Button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={4}
          className="z-30 min-w-56 rounded-lg border border-line bg-surface p-1 text-sm shadow-lg"
        >
          <DropdownMenu.Label className="px-2.5 py-1.5 text-xs text-muted">
            {service}
            {isFiltering(filter) && ', what passes the filter'}
          </DropdownMenu.Label>
          {CHOICES.map(({ label, hours, format }) => (
            <DropdownMenu.Item
              key={label}
              onSelect={() => start(hours, format)}
              className="cursor-pointer rounded-md px-2.5 py-2 outline-none data-[highlighted]:bg-raised"
            >
              {label}
            </DropdownMenu.Item>
          ))}
          <DropdownMenu.Separator className="my-1 h-px bg-line" />
          <DropdownMenu.Item
            onSelect={() => void copyText(command, 'Command')}
            className="max-w-80 cursor-pointer rounded-md px-2.5 py-2 outline-none data-[highlighted]:bg-raised"
          >
            <span className="flex items-center gap-2">
              <SquareTerminal aria-hidden="true" className="h-4 w-4 text-muted" /> Copy the command for the
              host
            </span>
            <code className="mt-1 block text-xs [overflow-wrap:anywhere] text-muted">{command}</code>
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
