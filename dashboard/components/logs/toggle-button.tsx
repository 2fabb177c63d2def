import type { ReactNode } from 'react';
import { cx } from '../../lib/class-names.ts';
import { Button } from '../ui/button.tsx';

interface ToggleButtonProps {
  label: string;
  /** The key that does the same. */
  hint?: string;
  pressed: boolean;
  onPressed: (pressed: boolean) => void;
  className?: string;
  children: ReactNode;
}

/** An icon that is on or off. */
export function ToggleButton({ label, hint, pressed, onPressed, className, children }: ToggleButtonProps) {
  return (
    <Button
      look="quiet"
      size="icon"
      aria-label={label}
      aria-pressed={pressed}
      title={hint === undefined ? label : `${label} (${hint})`}
      onClick={() => onPressed(!pressed)}
      className={cx(pressed && 'bg-raised text-accent', className)}
    >
      {children}
    </Button>
  );
}
