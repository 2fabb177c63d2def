'use client';

import { Toaster } from 'sonner';
import { usePreference } from '../../lib/use-preference.ts';
import type { Theme } from './theme-toggle.tsx';

/** Where short notices appear: at the right, because lines of a log begin at the left. */
export function Toasts() {
  const [theme] = usePreference<Theme>('theme', 'system');
  return <Toaster position="bottom-right" theme={theme} closeButton />;
}
