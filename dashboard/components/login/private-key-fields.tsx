'use client';

import { type ChangeEvent, useId, useRef } from 'react';
import { cx } from '../../lib/class-names.ts';
import { Field, INPUT_CLASS } from '../ui/field.tsx';

/** A key file is a few kB; anything larger is the wrong file. */
const MAX_KEY_BYTES = 32_768;

/** The private key, pasted or from a file, and its passphrase. */
export function PrivateKeyFields() {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);

  async function readFile(event: ChangeEvent<HTMLInputElement>): Promise<void> {
    const file = event.target.files?.[0];
    if (file === undefined || area.current === null) return;
    area.current.value = file.size > MAX_KEY_BYTES ? '' : await file.text();
  }

  return (
    <>
      <div>
        <div className="mb-1 flex items-baseline justify-between">
          <label htmlFor={id} className="text-sm font-medium">
            Private key
          </label>
          <label className="cursor-pointer text-sm text-accent underline underline-offset-2 focus-within:outline-2">
            Choose a file
            <input type="file" className="sr-only" onChange={(event) => void readFile(event)} />
          </label>
        </div>
        <textarea
          id={id}
          ref={area}
          name="privateKey"
          required
          rows={5}
          maxLength={MAX_KEY_BYTES}
          spellCheck={false}
          autoComplete="off"
          placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
          className={cx(INPUT_CLASS, 'font-mono text-xs')}
        />
      </div>
      <Field
        label="Passphrase"
        name="passphrase"
        type="password"
        maxLength={1024}
        autoComplete="off"
        hint="Only if the key has one."
      />
    </>
  );
}
