'use client';

import { useEffect, useRef, useState } from 'react';

/** Shortest time between two announcements, in ms: a screen reader must be able to finish. */
const INTERVAL = 5000;

/** Tells screen readers what a glance shows: paused or not, and how much has come since. Never the lines themselves. */
export function Announcer({ paused, newCount }: { paused: boolean; newCount: number }) {
  const [text, setText] = useState('');
  const current = useRef('');
  useEffect(() => {
    current.current = paused ? `Paused. ${newCount} new lines.` : '';
  });
  useEffect(() => {
    const timer = setInterval(() => setText(current.current), INTERVAL);
    return () => clearInterval(timer);
  }, []);
  return (
    <p role="status" className="sr-only">
      {text}
    </p>
  );
}
