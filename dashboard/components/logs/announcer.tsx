'use client';

import { useEffect, useRef, useState } from 'react';
import type { LogItem } from 'tailwire/client';
import { plainText } from '../../lib/line-tokens.ts';

/** Shortest time between two announcements, in ms: a screen reader must be able to finish. */
const INTERVAL = 5000;
/** Characters of a message that are read out. */
const SPOKEN = 160;

interface AnnouncerProps {
  paused: boolean;
  newCount: number;
  lines: readonly LogItem[];
  /** Tell new errors too. */
  withErrors: boolean;
}

/**
 * Tells screen readers what a glance shows: paused or not, and how much has come since. Lines are never read out by
 * themselves; with the errors on, their number and the newest of them.
 */
export function Announcer({ paused, newCount, lines, withErrors }: AnnouncerProps) {
  const [text, setText] = useState('');
  const current = useRef({ paused, newCount, lines });
  useEffect(() => {
    current.current = { paused, newCount, lines };
  });
  useEffect(() => {
    // The lines that were there before are not new.
    let last = current.current.lines.at(-1)?.seq ?? null;
    const timer = setInterval(() => {
      const now = current.current;
      const errors = withErrors && last !== null ? errorsBehind(now.lines, last) : '';
      last = now.lines.at(-1)?.seq ?? last;
      setText([now.paused ? `Paused. ${now.newCount} new lines.` : '', errors].filter(Boolean).join(' '));
    }, INTERVAL);
    return () => clearInterval(timer);
  }, [withErrors]);
  return (
    <p role="status" className="sr-only" data-announcer="">
      {text}
    </p>
  );
}

function errorsBehind(lines: readonly LogItem[], last: number): string {
  let count = 0;
  let newest = '';
  for (let index = lines.length - 1; index >= 0; index -= 1) {
    const item = lines[index];
    if (item === undefined || item.seq <= last) break;
    if (item.kind !== 'line' || (item.level !== 'error' && item.level !== 'fatal')) continue;
    if (count === 0) newest = plainText(item.message.slice(0, SPOKEN));
    count += 1;
  }
  if (count === 0) return '';
  return count === 1 ? `New error: ${newest}` : `${count} new errors, the last: ${newest}`;
}
