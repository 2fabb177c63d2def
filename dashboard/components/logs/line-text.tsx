import type { CompiledFilter } from 'tailwire/client';
import { tokenizeMessage } from '../../lib/line-tokens.ts';

interface LineTextProps {
  text: string;
  ranges: CompiledFilter['ranges'];
  /** The raw line that the text is part of: it has the colours. */
  raw?: string;
}

/** A text of the log with its own colours and what was searched for. Always text, never markup. */
export function LineText({ text, ranges, raw = text }: LineTextProps) {
  return tokenizeMessage(text, raw, ranges).map((token, index) => {
    // biome-ignore-start lint/suspicious/noArrayIndexKey: tokens of one text have no other name
    if (token.marked) {
      return (
        <mark key={index} className={`rounded-xs bg-mark text-strong ${token.className}`}>
          {token.text}
        </mark>
      );
    }
    return token.className === '' ? (
      token.text
    ) : (
      <span key={index} className={token.className}>
        {token.text}
      </span>
    );
    // biome-ignore-end lint/suspicious/noArrayIndexKey: tokens of one text have no other name
  });
}
