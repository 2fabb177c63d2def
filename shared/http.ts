import { z } from 'zod';

/** Requests and answers of the HTTP routes around the sessions [SES-2]. */

const common = {
  host: z.string().trim().min(1).max(253),
  port: z.coerce.number().int().min(1).max(65535).optional(),
  username: z.string().min(1).max(64),
  /** Expected host key fingerprint as `ssh-keygen -l` prints it, `SHA256:...`. */
  hostKey: z
    .string()
    .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/)
    .optional(),
};

export const passwordLoginSchema = z.object({
  ...common,
  authMethod: z.literal('password'),
  password: z.string().min(1).max(1024),
});
export const keyLoginSchema = z.object({
  ...common,
  authMethod: z.literal('privateKey'),
  privateKey: z.string().min(1).max(32_768),
  passphrase: z.string().max(1024).optional(),
});
export const demoLoginSchema = z.object({ demo: z.literal(true) });

export const loginSchema = z.union([
  z.discriminatedUnion('authMethod', [passwordLoginSchema, keyLoginSchema]),
  demoLoginSchema,
]);
export type LoginRequest = z.input<typeof loginSchema>;

export const sessionInfoSchema = z.object({
  host: z.string(),
  username: z.string(),
  /** ISO 8601 UTC. */
  expiresAt: z.iso.datetime(),
  demo: z.boolean(),
});
export type SessionInfo = z.infer<typeof sessionInfoSchema>;

export const loginAnswerSchema = sessionInfoSchema.extend({
  token: z.string(),
  hostKey: z.object({ algorithm: z.string(), fingerprint: z.string(), firstSeen: z.iso.datetime() }),
});
export type LoginAnswer = z.infer<typeof loginAnswerSchema>;

/** `GET /config.json`: what a dashboard needs at run time. */
export const dashboardConfigSchema = z.object({
  version: z.string(),
  demo: z.boolean(),
  /** Units a session may watch, in display order. */
  units: z.array(z.string()),
  socketPath: z.string(),
});
export type DashboardConfig = z.infer<typeof dashboardConfigSchema>;

/** Every error of an HTTP route [HTTP-2]; `code` is of the error table. */
export const httpErrorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    requestId: z.string(),
  }),
});
export interface HttpErrorBody {
  error: { code: string; message: string; hint?: string; requestId: string };
}
