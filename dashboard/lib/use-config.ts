'use client';

import { useEffect, useState } from 'react';
import { config as readConfig } from 'tailwire/client';
import type { DashboardConfig } from 'tailwire/shared/http.ts';
import { httpOptions } from './gateway.ts';

/** The gateway's `/config.json`; null until it is there. Without it the page works with less comfort. */
export function useConfig(): DashboardConfig | null {
  const [config, setConfig] = useState<DashboardConfig | null>(null);
  useEffect(() => {
    let current = true;
    readConfig(httpOptions()).then(
      (answer) => {
        if (current) setConfig(answer);
      },
      () => {},
    );
    return () => {
      current = false;
    };
  }, []);
  return config;
}
