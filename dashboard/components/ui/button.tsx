import type { ButtonHTMLAttributes, Ref } from 'react';
import { cx } from '../../lib/class-names.ts';

const LOOKS = {
  primary: 'bg-accent text-on-accent hover:brightness-110 border-transparent font-medium',
  plain: 'bg-surface text-strong border-line hover:bg-raised',
  quiet: 'border-transparent text-muted hover:text-strong hover:bg-raised',
} as const;

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: keyof typeof LOOKS;
  /** `icon`: square, for a single icon; give it an aria-label. */
  size?: 'normal' | 'small' | 'icon';
  ref?: Ref<HTMLButtonElement>;
}

const SIZES = {
  normal: 'h-11 px-4 rounded-lg',
  small: 'h-9 max-sm:h-11 px-2.5 rounded-md text-sm',
  icon: 'h-9 w-9 max-sm:h-11 max-sm:w-11 justify-center rounded-md',
} as const;

export function Button({ look = 'plain', size = 'normal', className, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={cx(
        'inline-flex shrink-0 items-center justify-center gap-2 whitespace-nowrap border transition-colors',
        'disabled:cursor-not-allowed disabled:opacity-60',
        LOOKS[look],
        SIZES[size],
        className,
      )}
      {...rest}
    />
  );
}
