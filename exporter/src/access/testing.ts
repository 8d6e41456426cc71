/** For tests: a gate whose settings, keys, users and tokens are plain data, and whose clocks stand still. */
import { newKey } from './api-key.ts'
import { BasicUsers } from './basic.ts'
import { Gate } from './gate.ts'
import type { TokenVerifier } from './jwt.ts'
import { KeyRing, type StoredKey } from './key-ring.ts'
import type { Role } from './roles.ts'

export function scriptedAccess(loopback: boolean, now: number) {
  const settings = {
    openReads: true,
    required: false,
    requestsPerSecond: 1e6,
    requestBurst: 1e6,
    failedLoginsPerMinute: 1e6,
  }
  const clock = { now, monotonic: 0 }
  const stored = new Map<string, StoredKey>()
  const users = new Map<string, string>()
  const state = { unreadable: false, certificates: false, tokens: null as TokenVerifier | null, compared: 0 }
  const used: string[] = []
  const keys = new KeyRing({
    read: () => {
      if (state.unreadable) throw new Error('the disk is gone')
      return [...stored.values()]
    },
    used: (id) => used.push(id),
    now: () => clock.now,
    monotonic: () => clock.monotonic,
    onError: () => {},
  })
  keys.refresh()
  const gate = new Gate({
    loopback,
    settings: () => settings,
    keys,
    tokens: () => state.tokens,
    // A hash that says what it is of: bcrypt itself is tried where it matters.
    users: new BasicUsers(
      () => users,
      async (password, hash) => {
        state.compared++
        return hash === `hash of ${password}`
      },
    ),
    certificates: () => state.certificates,
    monotonic: () => clock.monotonic,
  })
  return {
    gate,
    keys,
    settings,
    clock,
    stored,
    users,
    state,
    used,
    headers: {} as Record<string, string>,
    corsOrigins: [] as string[],
    /** A key of that role, known at once. */
    addKey(role: Role, more: Partial<StoredKey> = {}) {
      const { id, text, hash } = newKey()
      const times = { createdAt: now, expiresAt: null, revokedAt: null, lastUsedAt: null }
      stored.set(id, { id, name: `a ${role}`, role, hash, ...times, ...more })
      keys.refresh()
      return { id, text, header: { Authorization: `Bearer ${text}` } }
    },
  }
}
