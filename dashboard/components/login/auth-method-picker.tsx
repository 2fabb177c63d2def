import { RadioGroup } from 'radix-ui';

export type AuthMethod = 'password' | 'privateKey';

const METHODS: readonly { value: AuthMethod; label: string }[] = [
  { value: 'password', label: 'Password' },
  { value: 'privateKey', label: 'Private key' },
];

interface AuthMethodPickerProps {
  method: AuthMethod;
  onChange: (method: AuthMethod) => void;
}

/** Password or private key. */
export function AuthMethodPicker({ method, onChange }: AuthMethodPickerProps) {
  return (
    <RadioGroup.Root
      aria-label="Log in with"
      value={method}
      onValueChange={(value) => onChange(value === 'privateKey' ? 'privateKey' : 'password')}
      className="grid grid-cols-2 gap-1 rounded-lg bg-raised p-1"
    >
      {METHODS.map(({ value, label }) => (
        <RadioGroup.Item
          key={value}
          value={value}
          className="h-9 rounded-md text-sm text-muted data-[state=checked]:bg-surface data-[state=checked]:font-medium data-[state=checked]:text-strong data-[state=checked]:shadow-sm max-sm:h-11"
        >
          {label}
        </RadioGroup.Item>
      ))}
    </RadioGroup.Root>
  );
}
