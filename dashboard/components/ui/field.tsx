import { type InputHTMLAttributes, useId } from 'react';
import { cx } from '../../lib/class-names.ts';

export const INPUT_CLASS =
  'w-full rounded-lg border border-line bg-canvas px-3 py-2.5 text-strong focus-visible:outline-offset-0';

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string;
}

/** A labelled input. */
export function Field({ label, hint, className, ...rest }: FieldProps) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        className={cx(INPUT_CLASS, 'h-11')}
        autoCapitalize="none"
        autoCorrect="off"
        spellCheck={false}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        {...rest}
      />
      {hint !== undefined && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-muted">
          {hint}
        </p>
      )}
    </div>
  );
}
