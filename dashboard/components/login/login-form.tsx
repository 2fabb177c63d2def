'use client';

import { KeyRound, LoaderCircle } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { LoginRequest } from 'tailwire/shared/http.ts';
import { Button } from '../ui/button.tsx';
import { Field } from '../ui/field.tsx';
import { type AuthMethod, AuthMethodPicker } from './auth-method-picker.tsx';
import { PrivateKeyFields } from './private-key-fields.tsx';

interface LoginFormProps {
  busy: boolean;
  login: (request: LoginRequest) => Promise<void>;
  /** There is a more prominent way above. */
  second: boolean;
}

/** Host, user and credentials of an SSH login. The fields are read when it is sent and kept nowhere. */
export function LoginForm({ busy, login, second }: LoginFormProps) {
  const [method, setMethod] = useState<AuthMethod>('password');

  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '');
    const target = {
      host: text('host').trim(),
      username: text('username').trim(),
      ...(text('port') === '' ? {} : { port: Number(text('port')) }),
    };
    if (method === 'password') {
      void login({ ...target, authMethod: method, password: text('password') });
    } else {
      const passphrase = text('passphrase') === '' ? {} : { passphrase: text('passphrase') };
      void login({ ...target, authMethod: method, privateKey: text('privateKey'), ...passphrase });
    }
  }

  return (
    <form
      onSubmit={submit}
      aria-label="Log in to a host"
      className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-4"
    >
      <div className="flex gap-3">
        <Field
          label="Host"
          name="host"
          required
          maxLength={253}
          placeholder="node.example.com"
          className="flex-1"
        />
        <Field
          label="Port"
          name="port"
          inputMode="numeric"
          pattern="[0-9]{1,5}"
          placeholder="22"
          className="w-20"
        />
      </div>
      <Field label="User name" name="username" required maxLength={64} autoComplete="username" />
      <AuthMethodPicker method={method} onChange={setMethod} />
      {method === 'password' ? (
        <Field
          label="Password"
          name="password"
          type="password"
          required
          maxLength={1024}
          autoComplete="current-password"
        />
      ) : (
        <PrivateKeyFields />
      )}
      <Button type="submit" look={second ? 'plain' : 'primary'} disabled={busy}>
        {busy ? (
          <LoaderCircle aria-hidden="true" className="h-4 w-4 motion-safe:animate-spin" />
        ) : (
          <KeyRound aria-hidden="true" className="h-4 w-4" />
        )}
        {busy ? 'Logging in…' : 'Log in over SSH'}
      </Button>
    </form>
  );
}
