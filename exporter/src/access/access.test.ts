/** Keys, tokens, users, limits and the web configuration, without HTTP in front; the JWKS servers are real ones on loopback. */
import { spawnSync } from 'node:child_process'
import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import bcrypt from 'bcryptjs'
import { exportJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { type Config, loadConfig } from '../config/index.ts'
import { Access, type AccessConfig } from './access.ts'
import { hashOf, idOf, newKey } from './api-key.ts'
import { BasicUsers } from './basic.ts'
import { addressOf, Buckets } from './buckets.ts'
import { type JwtConfig, TokenVerifier } from './jwt.ts'
import type { StoredKey } from './key-ring.ts'
import { KeysUnavailable } from './keys-unavailable.ts'
import { Refusal } from './refusal.ts'
import { allows, type Caller, ROLES, SCOPES } from './roles.ts'
import { scriptedAccess } from './testing.ts'
import { loadWebConfig } from './web-config.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)
const fixtures = fileURLToPath(new URL('../../fixtures/access/', import.meta.url))
const far = { address: '192.0.2.1', certificate: null }
const asking = (authorization?: string, more: object = {}) => ({
  ...far,
  header: (name: string) => (name === 'authorization' ? authorization : undefined),
  ...more,
})
const status = async (work: () => Caller | Promise<Caller>): Promise<number | string> => {
  try {
    return (await work()).name
  } catch (error) {
    if (error instanceof Refusal) return error.status
    throw error
  }
}
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'portent-access-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

t.test('a role holds the scopes up to its own, and nothing holds none', async (t) => {
  const table = ROLES.map((role) => SCOPES.map((scope) => allows(role, scope)))
  t.strictSame(table, [
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ])
  t.notOk(SCOPES.some((scope) => allows(null, scope)))
})

t.test('keys are random, have one form, and only their hash is kept', async (t) => {
  const made = Array.from({ length: 200 }, newKey)
  t.equal(new Set(made.map(({ text }) => text)).size, 200)
  for (const { id, text, hash } of made) {
    t.match(text, new RegExp(`^ptk_${id}_[0-9A-Za-z]{43}$`))
    t.equal(idOf(text), id)
    t.same(hash, hashOf(text))
  }
  for (const bad of ['', 'ptk_', 'ptk_0123456789_', `${made[0]?.text}x`, `x${made[0]?.text}`, `${made[0]?.text}\n`])
    t.equal(idOf(bad), null)
})

t.test('a key is known by its whole text until it expires, is revoked, or cannot be looked up', async (t) => {
  const { addKey, keys, stored, clock, state, used } = scriptedAccess(false, NOW)
  t.notOk(keys.configured)
  const key = addKey('operator', { name: 'CI' })
  t.ok(keys.configured)
  t.strictSame(keys.verify(key.text), { kind: 'key', id: key.id, name: 'CI', role: 'operator' })
  const other = addKey('admin')
  const swapped = `ptk_${other.id}_${key.text.slice(-43)}`
  const changed = key.text.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a'))
  for (const bad of [swapped, changed, key.text.toUpperCase(), newKey().text, ''])
    t.equal(keys.verify(bad), null, bad.slice(0, 8))
  t.strictSame(used, [key.id], 'noted once')
  clock.now += 3_599_999
  keys.verify(key.text)
  t.equal(used.length, 1)
  clock.now += 1
  keys.verify(key.text)
  t.equal(used.length, 2, 'and again an hour later')

  const ends = addKey('viewer', { expiresAt: clock.now + 1000 })
  t.ok(keys.verify(ends.text))
  clock.now += 1000
  t.equal(keys.verify(ends.text), null, 'expired')
  stored.set(key.id, { ...(stored.get(key.id) as StoredKey), revokedAt: clock.now })
  t.ok(keys.verify(key.text), 'what was read is valid until it is read again')
  keys.refresh()
  t.equal(keys.verify(key.text), null, 'revoked')
  const odd = addKey('viewer', { role: 'root' })
  t.equal(keys.verify(odd.text), null, 'a role that nobody knows')
  const short = addKey('viewer', { hash: Buffer.from('ab') })
  t.equal(keys.verify(short.text), null, 'a hash that is none')

  state.unreadable = true
  clock.monotonic += 60_000
  keys.refresh()
  t.ok(keys.verify(other.text) && keys.readable, 'a minute without the database is survived')
  clock.monotonic += 1
  t.notOk(keys.readable)
  state.unreadable = false
  stored.clear()
  keys.refresh()
  t.ok(keys.configured && keys.readable, 'keys that are gone open nothing')
})

t.test('a database that cannot be read for long answers 503 to keys, and opens nothing', async (t) => {
  const { addKey, gate, clock, state } = scriptedAccess(false, NOW)
  const key = addKey('admin')
  const ask = () => status(() => gate.authorize('write', asking(key.header.Authorization)))
  t.equal(await ask(), 'a admin')
  state.unreadable = true
  clock.monotonic += 60_001
  t.equal(await ask(), 503)
  t.equal(await status(() => gate.authorize('write', asking())), 401)
})

t.test(
  'on loopback without credentials this host may do everything and nobody else; one credential ends that',
  async (t) => {
    const access = scriptedAccess(true, NOW)
    const { gate, settings, users, state } = access
    const local = asking(undefined, {
      address: '127.0.0.1',
      header: (name: string) => (name === 'host' ? 'localhost' : undefined),
    })
    t.equal(await status(() => gate.authorize('admin', local)), 'local')
    t.equal(await status(() => gate.authorize('write', asking())), 403)
    t.equal(await status(() => gate.authorize('read', asking())), 'anonymous')
    settings.openReads = false
    t.equal(await status(() => gate.authorize('read', asking())), 403)
    settings.openReads = true
    const closed = async (why: string) => {
      t.equal(await status(() => gate.authorize('write', local)), 401, why)
      t.equal(await status(() => gate.authorize('open', local)), 'anonymous')
    }
    settings.required = true
    await closed('auth.required')
    settings.required = false
    users.set('prometheus', 'hash of pw')
    await closed('a user')
    t.equal(await status(() => gate.authorize('read', local)), 401, 'users close reading too')
    users.clear()
    state.certificates = true
    await closed('client certificates')
    t.equal(await status(() => gate.authorize('read', asking(undefined, { certificate: 'scraper' }))), 'scraper')
    t.equal(await status(() => gate.authorize('write', asking(undefined, { certificate: 'scraper' }))), 403)
    state.certificates = false
    t.equal(
      await status(() => gate.authorize('write', asking(undefined, { certificate: 'scraper' }))),
      403,
      'not verified',
    )
    t.equal(await status(() => gate.authorize('admin', local)), 'local')
    access.addKey('viewer', { revokedAt: NOW })
    await closed('a revoked key')
    const beyond = scriptedAccess(false, NOW)
    t.equal(await status(() => beyond.gate.authorize('write', local)), 401, 'beyond loopback always')
    t.equal(await status(() => beyond.gate.authorize('read', asking())), 'anonymous')
    beyond.settings.openReads = false
    t.equal(await status(() => beyond.gate.authorize('read', local)), 401)
  },
)

t.test(
  'addresses and credentials have their own buckets, failed logins smaller ones, all of bounded number',
  async (t) => {
    const access = scriptedAccess(false, NOW)
    const { gate, settings, clock, users, state } = access
    const key = access.addKey('viewer')
    Object.assign(settings, { requestsPerSecond: 2, requestBurst: 4, failedLoginsPerMinute: 3 })
    const ask = (authorization?: string, address = '192.0.2.1') =>
      status(() => gate.authorize('read', asking(authorization, { address })))
    const times = async (n: number, work: () => Promise<number | string>) => {
      const seen: (number | string)[] = []
      for (let i = 0; i < n; i++) seen.push(await work())
      return seen
    }
    t.strictSame((await times(6, () => ask())).slice(3), ['anonymous', 429, 429])
    t.equal(await ask(undefined, '192.0.2.2'), 'anonymous', 'another address')
    clock.monotonic += 500
    t.strictSame(await times(2, () => ask()), ['anonymous', 429], 'one more after half a second')
    let address = 0
    const many = await times(6, () => ask(key.header.Authorization, `198.51.100.${address++}`))
    t.strictSame(many.slice(3), ['a viewer', 429, 429], 'a key that comes from many addresses')

    Object.assign(settings, { requestsPerSecond: 1e6, requestBurst: 1e6 })
    clock.monotonic += 1000
    const guess = () => ask(`Bearer ${newKey().text}`, '203.0.113.7')
    t.strictSame(await times(5, guess), [401, 401, 401, 429, 429])
    t.equal(
      await ask(key.header.Authorization, '203.0.113.7'),
      'a viewer',
      'a right key is not locked out by its neighbours',
    )
    t.equal(await ask('Bearer x', '203.0.113.8'), 401)
    clock.monotonic += 20_000
    t.strictSame(await times(2, guess), [401, 429], 'one more after 20 s')
    try {
      await gate.authorize('read', asking('Bearer x', { address: '203.0.113.7' }))
    } catch (error) {
      t.match(error, { status: 429, headers: { 'Retry-After': '20' } })
    }

    users.set('u', 'hash of right')
    const login = (password: string) => ask(basic('u', password), '203.0.113.9')
    t.strictSame(await times(4, () => login('wrong')), [401, 401, 401, 429])
    t.equal(state.compared, 3, 'no comparison without a guess left')
    t.equal(await login('right'), 429, 'a new password waits too')
    clock.monotonic += 20_000
    t.equal(await login('right'), 'u')
    t.equal(await login('wrong'), 401, 'a right one gives its guess back')
    t.equal(await login('right'), 'u', 'and is remembered')
    t.equal(state.compared, 5)

    for (let i = 0; i < 30_000; i++) await ask('Bearer x', `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    t.ok(gate.held <= 20_000, `${gate.held} held`)
  },
)

t.test('a bucket fills with time, never beyond its burst, and the least used one is given up', async (t) => {
  const buckets = new Buckets(() => ({ perSecond: 1, burst: 2 }), 3)
  t.strictSame([buckets.take('a', 0), buckets.take('a', 0), buckets.take('a', 0)], [0, 0, 1])
  t.strictSame([buckets.take('a', 1e9), buckets.take('a', 1e9), buckets.take('a', 1e9)], [0, 0, 1])
  t.equal(buckets.take('a', 0), 1, 'a clock that goes back gives nothing')
  for (const name of ['b', 'c', 'a', 'd']) buckets.take(name, 1e9)
  t.equal(buckets.size, 3)
  t.equal(buckets.take('a', 1e9), 1, 'used a moment ago: kept')
  t.strictSame(
    [
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '2001:db8:1:2:3:4:5:6',
      '2001:db8:1:2::9',
      '2001:DB8::1',
      '::1',
      'fe80::1%eth0',
      undefined,
    ].map(addressOf),
    [
      '192.0.2.1',
      '192.0.2.1',
      '2001:db8:1:2::/64',
      '2001:db8:1:2::/64',
      '2001:db8:0:0::/64',
      '0:0:0:0::/64',
      'fe80:0:0:0::/64',
      'unknown',
    ],
  )
})

t.test('a password is compared once by bcrypt, one at a time, and forgotten with its hash', async (t) => {
  const users = new Map([['prometheus', bcrypt.hashSync('right', 4)]])
  const compared: string[] = []
  let running = 0
  const verifier = new BasicUsers(
    () => users,
    async (password, hash) => {
      t.equal(running++, 0, 'one at a time')
      compared.push(password)
      const same = await bcrypt.compare(password, hash)
      running--
      return same
    },
  )
  const same = await Promise.all(Array.from({ length: 50 }, () => verifier.verify('prometheus', 'right')))
  t.ok(same.every(Boolean))
  t.strictSame(compared, ['right'], 'fifty at once are one comparison')
  t.ok(verifier.remembers('prometheus', 'right'))
  t.notOk(verifier.remembers('prometheus', 'wrong') || verifier.remembers('nobody', 'right'))
  const answers = Array.from({ length: 30 }, (_, i) => verifier.verify('prometheus', `wrong ${i}`))
  t.equal(answers.filter((answer) => answer === null).length, 14, 'at most 16 wait')
  t.notOk((await Promise.all(answers)).some(Boolean))
  const before = compared.length
  t.notOk(await verifier.verify('nobody', 'right'))
  t.equal(compared.length, before + 1, 'an unknown user takes as long as a known one')
  t.notOk(await verifier.verify('prometheus', 'x'.repeat(2000)))
  t.equal(compared.length, before + 1, 'a giant password takes nothing')
  users.set('prometheus', bcrypt.hashSync('other', 4))
  t.notOk(verifier.remembers('prometheus', 'right'))
  users.delete('prometheus')
  t.notOk(await verifier.verify('prometheus', 'right'))
})

const ISSUER = 'https://id.example.org/'
const settings = (more: Partial<JwtConfig> = {}): JwtConfig => ({
  keys: '/etc/key.pem',
  issuer: ISSUER,
  audience: 'portent',
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  roles_claim: 'roles',
  roles: [],
  clock_tolerance: 30_000,
  jwks_timeout: 10_000,
  jwks_max_age: 600_000,
  ...more,
})

function verifierOf(config: JwtConfig, keyFile: string | null) {
  const clock = { monotonic: 0 }
  const told: string[] = []
  const verifier = new TokenVerifier(config, {
    now: () => NOW,
    monotonic: () => clock.monotonic,
    keyFile,
    onUnavailable: (error) => told.push(error.message),
  })
  return { verifier, clock, told }
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

const sign = (
  claims: JWTPayload = {},
  { key = rsa.privateKey, header = {} }: { key?: KeyObject | Uint8Array; header?: Partial<JWTHeaderParameters> } = {},
) =>
  new SignJWT({ iss: ISSUER, aud: 'portent', sub: 'alice', exp: NOW / 1000 + 600, roles: ['operator'], ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: 'one', ...header })
    .sign(key)

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

t.test('a token is taken with the right signature, issuer, audience and time, and no other', async (t) => {
  const { verifier } = verifierOf(settings(), pem(rsa.publicKey))
  const token = await sign()
  t.strictSame(await verifier.verify(token), { kind: 'token', id: 'alice', name: 'alice', role: 'operator' })
  t.ok(await verifier.verify(await sign({ aud: ['other', 'portent'], exp: NOW / 1000 - 29 })), 'within the tolerance')

  const [head = '', body = '', signature = ''] = token.split('.')
  const forge = (header: object, claims: object = {}, secret?: string | Buffer) => {
    const payload = { ...(JSON.parse(Buffer.from(body, 'base64url').toString()) as object), ...claims }
    const text = `${encode(header)}.${encode(payload)}`
    return `${text}.${secret === undefined ? signature : createHmac('sha256', secret).update(text).digest('base64url')}`
  }
  const signed = (header: object) => {
    const text = `${encode(header)}.${body}`
    return `${text}.${signBytes('sha256', Buffer.from(text), rsa.privateKey).toString('base64url')}`
  }
  t.ok(await verifier.verify(signed({ alg: 'RS256' })))
  const publicPem = pem(rsa.publicKey)
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const without = async (claim: string) => await sign({ [claim]: undefined })
  const bad: [string, string][] = [
    ['expired', await sign({ exp: NOW / 1000 - 31 })],
    ['not yet valid', await sign({ nbf: NOW / 1000 + 31 })],
    ['without exp', await without('exp')],
    ['exp as text', await sign({ exp: '9999999999' as never })],
    ['exp as a list', await sign({ exp: [NOW] as never }).catch(() => 'x')],
    ['wrong issuer', await sign({ iss: 'https://evil.example/' })],
    ['without issuer', await without('iss')],
    ['wrong audience', await sign({ aud: 'other' })],
    ['audience as a part', await sign({ aud: 'portent2' })],
    ['without audience', await without('aud')],
    ['signed by a stranger', await sign({}, { key: stranger })],
    ['alg none', `${encode({ alg: 'none' })}.${body}.`],
    ['alg None', `${encode({ alg: 'None' })}.${body}.`],
    ['alg none with a signature', `${encode({ alg: 'none' })}.${body}.${signature}`],
    ['HS256 with the public key as secret', forge({ alg: 'HS256' }, {}, publicPem)],
    ['HS256 with the public key, trimmed', forge({ alg: 'HS256' }, {}, publicPem.trim())],
    [
      'HS256 with the DER of the key',
      forge({ alg: 'HS256' }, {}, rsa.publicKey.export({ type: 'spki', format: 'der' })),
    ],
    ['HS256 with an empty secret', forge({ alg: 'HS256' }, {}, '')],
    ['an algorithm not listed', await sign({}, { header: { alg: 'RS512' } })],
    ['an algorithm of another kind of key', await sign({}, { key: ec.privateKey, header: { alg: 'ES256' } })],
    ['claims changed', forge({ alg: 'RS256', kid: 'one' }, { roles: ['admin'] })],
    [
      'a key in the header',
      forge({ alg: 'RS256', jwk: rsa.publicKey.export({ format: 'jwk' }) }, { roles: ['admin'] }),
    ],
    ['an unknown critical header', signed({ alg: 'RS256', crit: ['door'], door: 'open' })],
    ['the signature left out', `${head}.${body}.`],
    ['two parts', `${head}.${body}`],
    ['four parts', `${token}.x`],
    ['five parts', `${token}.x.y`],
    ['no JSON', `${encode('{')}.${body}.${signature}`],
    ['a list as claims', `${head}.${encode([])}.${signature}`],
    ['giant', `${head}.${encode('x'.repeat(20_000))}.${signature}`],
    ['nothing', ''],
    ['dots', '..'],
  ]
  for (const [name, value] of bad) t.equal(await verifier.verify(value), null, name)
})

t.test('a claim gives the role: the most of its values, from anywhere in the token, by a map or by name', async (t) => {
  const role = async (claims: JWTPayload, more: Partial<JwtConfig> = {}) =>
    (await verifierOf(settings(more), pem(rsa.publicKey)).verifier.verify(await sign(claims)))?.role
  t.equal(await role({ roles: ['viewer', 'admin', 'operator'] }), 'admin')
  t.equal(await role({ roles: 'viewer other' }), 'viewer')
  for (const roles of [undefined, null, [], ['root'], 7, { admin: true }, [['admin']], 'ADMIN', 'administrator'])
    t.equal(await role({ roles }), null, JSON.stringify(roles))
  t.equal(await role({ realm: { roles: ['operator'] } }, { roles_claim: 'realm.roles' }), 'operator')
  t.equal(await role({ 'https://a.b/r': 'viewer' }, { roles_claim: 'https://a.b/r' }), 'viewer')
  for (const roles_claim of ['__proto__', 'constructor.name', 'realm.', 'realm.roles.length'])
    t.equal(await role({ realm: { roles: ['admin'] } }, { roles_claim }), null, roles_claim)
  const roles: JwtConfig['roles'] = [
    { value: 'sre', role: 'operator' },
    { value: 'platform', role: 'admin' },
  ]
  t.equal(await role({ roles: ['sre'] }, { roles }), 'operator')
  t.equal(await role({ roles: ['sre', 'platform'] }, { roles }), 'admin')
  t.equal(await role({ roles: ['admin'] }, { roles }), null, 'a map replaces the names')
  const access = scriptedAccess(false, NOW)
  access.state.tokens = verifierOf(settings(), pem(rsa.publicKey)).verifier
  const token = await sign({ roles: [] })
  t.equal(
    await status(() => access.gate.authorize('read', asking(`Bearer ${token}`))),
    403,
    'known, but without a role',
  )
})

t.test('a key file holds public keys for signatures or a secret for HS, never one taken for the other', async (t) => {
  const jwk = { ...(await exportJWK(rsa.publicKey)), kid: 'one', alg: 'RS256' }
  for (const text of [pem(rsa.publicKey), JSON.stringify(jwk), JSON.stringify({ keys: [jwk] })])
    t.ok(await verifierOf(settings(), text).verifier.verify(await sign()))
  const secret = 'a secret of thirty-two bytes, at least'
  const hs = verifierOf(settings({ algorithms: ['HS256'] }), `${secret}\n`).verifier
  const key = new TextEncoder().encode(secret)
  t.ok(await hs.verify(await sign({}, { key, header: { alg: 'HS256' } })))
  t.equal(await hs.verify(await sign()), null)
  for (const [more, text, message] of [
    [{ algorithms: ['HS256'] }, pem(rsa.publicKey), /expected a secret .*public key/],
    [{ algorithms: ['HS256'] }, JSON.stringify(jwk), /expected a secret/],
    [{ algorithms: ['HS256'] }, 'short', /at least 32 bytes, found 5/],
    [{ algorithms: ['HS256', 'HS512'] }, secret, /at least 64 bytes/],
    [{}, secret, /expected a public key in PEM or a JWK set/],
    [{}, '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', /expected a public key in PEM/],
    [{}, rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), /found a private one/],
    [{}, JSON.stringify(rsa.privateKey.export({ format: 'jwk' })), /found a secret one/],
    [{}, JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA' }] }), /found a secret one/],
    [{}, '{"keys": 7}', /expected a JWK set/],
    [{}, '{', /broken JSON/],
    [{}, '[]', /expected a JWK set/],
    [{}, '', /expected a public key/],
  ] as const) {
    const refused = () => verifierOf(settings(more as Partial<JwtConfig>), text)
    t.throws(refused, message)
    t.throws(refused, /^auth\.jwt\.keys: (?!.*short)/s, 'names its key and repeats nothing')
  }
})

async function jwks(t: Test, answer: RequestListener) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, keys: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` }
}

t.test('published keys are fetched once, again for a new key id, and by name', async (t) => {
  const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid, use: 'sig' })
  const set = { keys: [jwk(rsa.publicKey, 'one'), jwk(ec.publicKey, 'two')] as object[] }
  const { asked, keys } = await jwks(t, (_, response) => void response.end(JSON.stringify(set)))
  const { verifier, told } = verifierOf(settings({ keys }), null)
  const tokens = await Promise.all(Array.from({ length: 20 }, () => sign()))
  t.ok((await Promise.all(tokens.map((token) => verifier.verify(token)))).every(Boolean))
  t.ok(await verifier.verify(await sign({}, { key: ec.privateKey, header: { alg: 'ES256', kid: 'two' } })))
  t.equal(asked.length, 1, 'twenty at once are one fetch')
  t.equal(await verifier.verify(await sign({}, { header: { kid: 'nobody' } })), null)
  t.equal(await verifier.verify(await sign({}, { header: { kid: 'two' } })), null, 'the key of another name')
  const secret = createHmac('sha256', pem(rsa.publicKey))
  const confused = `${encode({ alg: 'HS256', kid: 'one' })}.${encode({ iss: ISSUER, aud: 'portent', exp: 9e9, roles: ['admin'] })}`
  t.equal(await verifier.verify(`${confused}.${secret.update(confused).digest('base64url')}`), null)
  const hostile = await sign({}, { header: { jku: `${keys}2`, x5u: `${keys}3` } as never })
  t.ok(await verifier.verify(hostile), 'what a header says of other keys is not followed')
  t.equal(asked.length, 1, 'unknown key ids do not fetch again at once')
  t.strictSame(told, [])

  set.keys = [{ kty: 'oct', kid: 'one', k: encode('a secret of thirty-two bytes, at least') }]
  const published = verifierOf(settings({ keys }), null).verifier
  const key = new TextEncoder().encode('a secret of thirty-two bytes, at least')
  t.equal(
    await published.verify(await sign({}, { key, header: { alg: 'HS256' } })),
    null,
    'a published secret proves nothing',
  )
})

t.test('keys that cannot be had are told, are not asked for again at once, and open nothing', async (t) => {
  let mode = 'redirect'
  const good = JSON.stringify({ keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one' }] })
  const { asked, keys } = await jwks(t, (request, response) => {
    if (request.url === '/elsewhere') return void response.end(good)
    if (mode === 'redirect') return void response.writeHead(302, { Location: '/elsewhere' }).end()
    if (mode === 'error') return void response.writeHead(500).end(good)
    if (mode === 'html') return void response.end('<html>')
    if (mode === 'list') return void response.end('[]')
    if (mode === 'keys') return void response.end('{"keys": [null]}')
    if (mode === 'giant') return void response.end(`{"keys": [], "x": "${'x'.repeat(2 << 20)}"}`)
    if (mode === 'half') return void response.write(good.slice(0, 20))
    if (mode === 'cut')
      return void response.writeHead(200, { 'Content-Length': '9999' }).write(good, () => response.destroy())
    if (mode === 'silent') return undefined
    return void response.end(good)
  })
  for (mode of ['redirect', 'error', 'html', 'list', 'keys', 'giant', 'half', 'cut', 'silent']) {
    // A busy machine may take long for an answer; what never comes need not be waited for.
    const hangs = mode === 'half' || mode === 'silent'
    const { verifier, clock, told } = verifierOf(settings({ keys, ...(hangs && { jwks_timeout: 2000 }) }), null)
    const before = asked.length
    await t.rejects(verifier.verify(await sign()), KeysUnavailable, mode)
    await t.rejects(verifier.verify(await sign()), KeysUnavailable)
    t.equal(asked.length, before + 1, `${mode}: asked once`)
    t.equal(told.length, 2)
    mode = 'good'
    clock.monotonic += 5_000
    t.ok(await verifier.verify(await sign()), 'and taken again later')
  }
  t.notOk(asked.includes('/elsewhere'), 'no redirect is followed')
  mode = 'silent'
  const access = scriptedAccess(false, NOW)
  access.state.tokens = verifierOf(settings({ keys, jwks_timeout: 2000 }), null).verifier
  const token = await sign({ roles: ['admin'] })
  t.equal(await status(() => access.gate.authorize('write', asking(`Bearer ${token}`))), 503)
  t.equal(await status(() => access.gate.authorize('read', asking(`Bearer ${token}`))), 503, 'not even what is open')
  const nowhere = verifierOf(settings({ keys: 'http://127.0.0.1:9/keys' }), null)
  await t.rejects(nowhere.verifier.verify(token), KeysUnavailable)
})

const HASH = bcrypt.hashSync('pw', 4)
const tlsOf = (more = '', cert = 'server') =>
  `tls_server_config:\n  cert_file: ${fixtures}${cert}.crt\n  key_file: ${fixtures}${cert}.key\n${more}`

/** What both we and the toolkit take, and refuse. */
const GOOD: Record<string, string> = {
  empty: '',
  users: `basic_auth_users:\n  prometheus: ${HASH}\n  grafana: ${HASH}\n`,
  tls: tlsOf(),
  client: tlsOf(`  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ${fixtures}ca.crt\n`),
  everything: `${tlsOf(
    `  client_auth_type: VerifyClientCertIfGiven
  client_ca_file: ${fixtures}ca.crt
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: true
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  curve_preferences: [X25519, CurveP256]
`,
  )}http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Content-Security-Policy: default-src 'none'
basic_auth_users:
  prometheus: ${HASH}
`,
}
const BAD: Record<string, readonly [text: string, message: RegExp]> = {
  'unknown-section': ['basic_auth_user: {}\n', /:1: basic_auth_user: unknown key \(did you mean basic_auth_users\?\)/],
  'unknown-key': [
    tlsOf('  cert_fil: x\n'),
    /:4: tls_server_config\.cert_fil: unknown key \(did you mean cert_file\?\)/,
  ],
  'unknown-header': ['http_server_config: { headers: { X-Other: a } }\n', /headers\.X-Other: unknown key/],
  'no-key': [`tls_server_config:\n  cert_file: ${fixtures}server.crt\n`, /key_file: expected a path/],
  'no-file': [
    'tls_server_config: { cert_file: gone.crt, key_file: gone.key }\n',
    /cert_file .*gone\.crt cannot be read/,
  ],
  'other-key': [
    `tls_server_config: { cert_file: ${fixtures}server.crt, key_file: ${fixtures}client.key }\n`,
    /cert_file and key_file cannot be used/,
  ],
  'auth-type': [tlsOf('  client_auth_type: Sometimes\n'), /client_auth_type: expected one of NoClientCert/],
  'ca-unasked': [tlsOf(`  client_ca_file: ${fixtures}ca.crt\n`), /client_ca_file needs a client_auth_type/],
  'no-list': ['- a\n', /expected a mapping/],
  'two-keys': ['basic_auth_users: {}\nbasic_auth_users: {}\n', /:2: this key is there twice/],
  plain: ['basic_auth_users: { prometheus: hunter2 }\n', /basic_auth_users\.prometheus: expected a bcrypt hash/],
  version: [tlsOf('  min_version: SSL3\n'), /min_version: expected TLS12 or TLS13/],
  cipher: [tlsOf('  cipher_suites: [RC4]\n'), /cipher_suites\.0: expected one of TLS_AES/],
}
/** What the toolkit takes and we do not: less safe, or of no meaning here. */
const STRICTER: Record<string, readonly [text: string, message: RegExp]> = {
  'ca-missing': [tlsOf('  client_auth_type: RequireAndVerifyClientCert\n'), /needs a client_ca_file/],
  'old-version': [tlsOf('  min_version: TLS10\n'), /older ones are not offered/],
  costly: [`basic_auth_users: { u: ${HASH.replace('$04$', '$31$')} }\n`, /cost 4 to 14/],
  versions: [tlsOf('  min_version: TLS13\n  max_version: TLS12\n'), /min_version is above max_version/],
}

t.test('the web configuration is that of the exporter-toolkit, and promtool agrees', async (t) => {
  const folder = folderOf(t)
  const promtool = spawnSync('promtool', ['--version']).status === 0
  if (!promtool) t.comment('skipped: promtool is not installed')
  const load = (name: string, text: string) => {
    const path = join(folder, `${name}.yml`)
    writeFileSync(path, text)
    return { path, result: loadWebConfig(path, (file) => readFileSync(file, 'utf8')) }
  }
  const judged = (path: string) => spawnSync('promtool', ['check', 'web-config', path]).status
  for (const [name, text] of Object.entries(GOOD)) {
    const { path, result } = load(name, text)
    t.ok(result.ok, `${name}: ${JSON.stringify(result)}`.slice(0, 300))
    if (promtool) t.equal(judged(path), 0, `promtool takes ${name}`)
  }
  for (const [name, [text, message]] of Object.entries(BAD)) {
    const { path, result } = load(name, text)
    t.match(result, { ok: false, errors: [message] }, name)
    t.notMatch(JSON.stringify(result), 'hunter2')
    if (promtool) t.not(judged(path), 0, `promtool refuses ${name}`)
  }
  for (const [name, [text, message]] of Object.entries(STRICTER))
    t.match(load(name, text).result, { ok: false, errors: [message] }, name)
  const { result } = load('everything', GOOD.everything ?? '')
  t.match(result, {
    config: {
      tls: {
        clientCertificates: 'verify_if_given',
        context: {
          minVersion: 'TLSv1.2',
          ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256',
          ecdhCurve: 'X25519:P-256',
        },
      },
      headers: { 'X-Frame-Options': 'deny' },
      files: { length: 4 },
    },
  })
  t.match(load('gone', '').result, { ok: true, config: { tls: null } })
  t.match(
    loadWebConfig('/nowhere/web.yml', (file) => readFileSync(file, 'utf8')),
    { ok: false, errors: [/web\.yml: cannot be read/] },
  )
})

const configOf = (more: { web?: object; auth?: object } = {}): AccessConfig => {
  const loaded = loadConfig({ argv: [], env: {}, readFile: () => '' })
  if (!loaded.ok) throw new Error('refused')
  const { web, auth, limits }: Config = loaded.config
  return { web: { ...web, ...more.web }, auth: { ...auth, jwt: { ...auth.jwt, ...more.auth } }, limits }
}

t.test('files are read again when they change; a broken one leaves the old in force and is told', async (t) => {
  const folder = folderOf(t)
  const file = join(folder, 'web.yml')
  const users = (...names: string[]) => `basic_auth_users:\n${names.map((name) => `  ${name}: ${HASH}\n`).join('')}`
  writeFileSync(file, `${tlsOf()}${users('a')}`)
  const logged: string[] = []
  const log = (fields: object, message: string) =>
    logged.push(`${message} ${String((fields as { err?: Error }).err?.message ?? '')}`)
  const clock = { monotonic: 0, keys: 0 }
  const access = await Access.open({
    config: configOf({ web: { config_file: file } }),
    log: { info: log, warn: log, error: log },
    keys: () => {
      clock.keys++
      return []
    },
    used: () => {},
    readFile: (path) => readFileSync(path, 'utf8'),
    monotonic: () => clock.monotonic,
  })
  const seen: unknown[] = []
  access.onTls((tls) => seen.push(tls.context.cert))
  const login = (user: string) => status(() => access.gate.authorize('read', asking(basic(user, 'pw'))))
  await access.poll()
  t.equal(await login('a'), 'a')
  t.equal(await login('b'), 401)
  writeFileSync(file, `${tlsOf('', 'renewed')}${users('b')}`)
  await Promise.all([access.poll(), access.poll()])
  t.strictSame([await login('a'), await login('b')], [401, 'b'])
  t.equal(seen.at(-1), readFileSync(`${fixtures}renewed.crt`, 'utf8'))
  t.ok(clock.keys >= 3)
  logged.length = 0
  for (const broken of ['basic_auth_users: [', users('c'), `${tlsOf('', 'gone')}`]) {
    writeFileSync(file, broken)
    clock.monotonic += 60_000
    await access.poll()
    await access.poll()
    t.strictSame([await login('b'), await login('c')], ['b', 401], 'the old one stays in force')
  }
  t.equal(logged.length, 3, 'each told once')
  t.match(logged[1], /TLS is switched on and off by a restart only/)
  rmSync(file)
  await access.poll()
  t.equal(await login('b'), 'b')
  writeFileSync(file, `${tlsOf()}${users('a')}`)
  await access.poll()
  t.strictSame([await login('a'), await login('b')], ['a', 401])

  await t.rejects(
    access.reconfigure(configOf({ web: { config_file: join(folder, 'gone.yml') } })),
    /gone\.yml: cannot be read/,
  )
  const gone = configOf({ web: { config_file: file, open_reads: false }, auth: { keys: '/gone.pem' } })
  await t.rejects(access.reconfigure(gone), /auth\.jwt\.keys: \/gone\.pem/)
  t.equal(await login('a'), 'a', 'nothing changed')
  t.equal(access.gate.configured, true)
  writeFileSync(file, `${tlsOf()}\n`)
  const pemFile = join(folder, 'key.pem')
  writeFileSync(pemFile, pem(rsa.publicKey))
  const next = configOf({
    web: { config_file: file, open_reads: false, cors_origins: ['https://a.example'] },
    auth: { keys: pemFile, issuer: ISSUER, audience: 'portent' },
  })
  await Promise.all([access.poll(), access.reconfigure(next), access.poll()])
  t.strictSame(access.corsOrigins, ['https://a.example'])
  t.equal(await status(() => access.gate.authorize('read', asking())), 401, 'reading is closed')
  const token = async () => `Bearer ${await sign({ exp: Date.now() / 1000 + 60, roles: ['admin'] })}`
  t.equal(await status(async () => access.gate.authorize('admin', asking(await token()))), 'alice')
  writeFileSync(pemFile, pem(ec.publicKey))
  await access.poll()
  t.equal(
    await status(async () => access.gate.authorize('admin', asking(await token()))),
    401,
    'a key that was replaced',
  )
  const open = Access.open({
    config: configOf({ web: { config_file: folder } }),
    log: { info: log, warn: log, error: log },
    keys: () => [],
    used() {},
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  await t.rejects(open, /cannot be read/)
})
