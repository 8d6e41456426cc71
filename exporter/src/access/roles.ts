import { ROLES } from '../config/index.ts'

/** Who may do what: a route declares a scope, a caller has a role, a role holds scopes. */

/** read: looks. write: changes or costs something. admin: changes what the service itself is. */
export const SCOPES = ['read', 'write', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export { ROLES }
export type Role = (typeof ROLES)[number]

const SCOPES_OF: Readonly<Record<Role, readonly Scope[]>> = {
  viewer: ['read'],
  operator: ['read', 'write'],
  admin: ['read', 'write', 'admin'],
}

export const isRole = (value: unknown): value is Role => (ROLES as readonly unknown[]).includes(value)

/** False for no role at all. */
export const allows = (role: Role | null, scope: Scope): boolean => role !== null && SCOPES_OF[role].includes(scope)

/** The most of several roles; null for none. */
export const most = (roles: readonly Role[]): Role | null => ROLES.findLast((role) => roles.includes(role)) ?? null

/**
 * Who sent a request:
 * - local: somebody on this host, while there are no credentials
 * - anonymous: nobody known, on a route that is open
 * - key: an API key; token: a JWT; user: one of the web configuration's; certificate: a verified client certificate
 */
export interface Caller {
  readonly kind: 'local' | 'anonymous' | 'key' | 'token' | 'user' | 'certificate'
  /** Unique within its kind: the key's id, the token's subject, the user's name; '' where there is none. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly role: Role | null
}

export const ANONYMOUS: Caller = { kind: 'anonymous', id: '', name: 'anonymous', role: 'viewer' }
export const LOCAL: Caller = { kind: 'local', id: '', name: 'local', role: 'admin' }
