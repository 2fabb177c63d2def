'use client';

import { Monitor, Moon, Sun } from 'lucide-react';
import { useEffect } from 'react';
import { usePreference } from '../../lib/use-preference.ts';
import { Button } from './button.tsx';

export type Theme = 'system' | 'light' | 'dark';

const NEXT: Record<Theme, Theme> = { system: 'dark', dark: 'light', light: 'system' };
const ICONS = { system: Monitor, dark: Moon, light: Sun };

/** Steps through system, dark and light. */
export function ThemeToggle() {
  const [theme, setTheme] = usePreference<Theme>('theme', 'system');
  const Icon = ICONS[theme];

  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);

  const label = `Theme: ${theme}. Switch to ${NEXT[theme]}`;
  return (
    <Button look="quiet" size="icon" aria-label={label} title={label} onClick={() => setTheme(NEXT[theme])}>
      <Icon aria-hidden="true" className="h-[1.15rem] w-[1.15rem]" />
    </Button>
  );
}
