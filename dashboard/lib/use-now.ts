'use client';

import { useEffect, useState } from 'react';

/** The time, epoch ms, renewed every `intervalMs`. Use it in small components: each tick renders again. */
export function useNow(intervalMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}
