/**
 * Takes secrets out of what is about to be logged [HTTP-3]: by the name of a field and by the shape of a text. Shapes
 * are found in time linear in the text, since clients can have texts logged.
 */

export const REDACTED = '[redacted]';

/** Longest text looked at, in characters; the rest is dropped before the search so that no half secret survives. */
const SEARCH_MAX = 16_384;
/** Longest text in a log line, in characters. */
const TEXT_MAX = 4096;
/** Most entries of one object or array, and deepest nesting, in a log line. */
const ENTRIES_MAX = 50;
const DEPTH_MAX = 6;

/** Field names (letters only, lower case) that hold a secret: containing one of the first, or equal to one of the second. */
const SECRET_PARTS =
  /password|passphrase|passwd|privatekey|secret|token|authorization|cookie|credential|apikey|issuerkey|sessionkey|jwt|sshsession/;
const SECRET_NAMES = new Set(['key', 'pass', 'pwd', 'auth', 'hwid', 'pem', 'hmac', 'signature']);

/** Whether a field of this name is never logged. Counts such as `tokens: 3` are kept by the caller. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z]/g, '');
  return SECRET_NAMES.has(plain) || SECRET_PARTS.test(plain);
}

const PEM =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?/g;
const AUTH_SCHEME = /\b(Bearer|Basic)(\s+|%20)[^\s"',;]+/gi;
const QUERY =
  /\b((?:access_|room_)?token|ssh_session|session|password|passphrase|passwd|secret|api_?key|key|hwid|jwt|sig|signature)=[^&\s"'#;]+/gi;
const JSON_FIELD =
  /("(?:[a-z_]*password|passphrase|private_?key|[a-z_]*token|[a-z_]*secret|authorization|cookie|api_?key|key)"\s{0,8}:\s{0,8}")(?:[^"\\]|\\.)*/gi;
const WORD = /[^\s"'<>]+/g;
const CODE = /[A-Za-z0-9_.-]{24,}/g;

/**
 * Takes secrets out of a text: private keys in PEM form, JWTs, room and session tokens, Authorization values, secrets
 * in query strings and in JSON, passwords in URLs.
 */
export function redactText(text: string): string {
  const searched = text.length > SEARCH_MAX ? `${text.slice(0, SEARCH_MAX).replace(/\S*$/, '')}...` : text;
  const clean = searched
    .replace(PEM, REDACTED)
    .replace(AUTH_SCHEME, `$1 ${REDACTED}`)
    .replace(JSON_FIELD, `$1${REDACTED}`)
    .replace(QUERY, `$1=${REDACTED}`)
    .replace(WORD, redactUrlPassword)
    .replace(CODE, redactCode);
  return clean.length > TEXT_MAX ? `${clean.slice(0, TEXT_MAX)}...` : clean;
}

/** `scheme://user:password@host`: everything between the slashes and the last @ of the word goes. */
function redactUrlPassword(word: string): string {
  const start = word.indexOf('://');
  const end = word.lastIndexOf('@');
  return start === -1 || end < start ? word : `${word.slice(0, start + 3)}${REDACTED}${word.slice(end)}`;
}

/** Length of 32 bytes in base64url: session tokens, and the signature of room tokens. */
const TOKEN_LENGTH = 43;

function redactCode(code: string, offset: number, whole: string): string {
  const parts = code.split('.');
  // `eyJ` is how base64url of `{"` begins: a JWT or a room token, whole or cut off.
  if (parts.some((part) => part.startsWith('eyJ') && part.length >= 20)) return REDACTED;
  const isFingerprint = whole.slice(Math.max(0, offset - 7), offset) === 'SHA256:';
  const isToken = (part: string) => part.length === TOKEN_LENGTH && /[A-Z]/.test(part) && /[a-z]/.test(part);
  return !isFingerprint && parts.some(isToken) ? REDACTED : code;
}

/** Characters that could break a log line apart or change how a terminal shows it: controls, line separators, bidi. */
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Writes control characters as escapes, against forged log lines (CWE-117) and terminal escape sequences. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A copy of a log field's value that is safe to log: bounded in size and depth, without secrets and controls. */
export function redactValue(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return escapeControls(redactText(value));
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value !== 'object') return undefined;
  if (depth >= DEPTH_MAX) return '[deep]';
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (value instanceof URL) return redactValue(value.href, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, ENTRIES_MAX).map((entry) => redactValue(entry, depth + 1));
  return redactFields(value, depth);
}

function redactFields(value: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(value).slice(0, ENTRIES_MAX)) {
    const isPlain = entry === undefined || entry === null || typeof entry === 'boolean';
    copy[redactKey(name)] = isSecretName(name) && !isPlain ? REDACTED : redactValue(entry, depth + 1);
  }
  return copy;
}

function redactKey(name: string): string {
  const clean = escapeControls(redactText(name.slice(0, 200)));
  return clean === '__proto__' ? '_proto_' : clean;
}

/** Name, message, code, stack (one entry a line) and cause of an error. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  const code = 'code' in error ? error.code : undefined;
  const stack = error.stack
    ?.split('\n')
    .slice(1, 12)
    .map((line) => redactValue(line.trim()));
  return {
    name: redactValue(error.name),
    message: redactValue(error.message),
    ...(code === undefined ? {} : { code: redactValue(code, depth + 1) }),
    ...(stack && stack.length > 0 ? { stack } : {}),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
  };
}
