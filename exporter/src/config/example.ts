import { KEYS, type Key, LEAVES } from './keys.ts'

const HEAD = `# Configuration of Portent. Every key is shown with its default: remove the # in front of a key to set it.
#
# A flag overrides an environment variable, which overrides this file. web.listen_address is --web.listen-address as
# a flag and PORTENT_WEB_LISTEN_ADDRESS as a variable; lists can be set in a file only. A relative path in a file
# starts at the folder of the file.
#
# Durations: 500ms, 2s, 15m, 24h, 30d, 2w, or a number of seconds. Sizes: 64KiB, 16MiB, 1GiB, or a number of bytes.
#
# Check a file with: portent check-config FILE
`

const depth = (key: Key): number => key.path.split('.').length - 1

/** Where the default says nothing that a file could hold. */
const shown = (key: Key): string => key.example ?? key.default ?? ''

function entry(key: Key): string[] {
  const indent = '  '.repeat(depth(key))
  const name = key.path.split('.').at(-1)
  if (key.kind === 'section') return ['', `${indent}# ${key.description}`, `${indent}${name}:`]
  const hint = key.example === undefined ? '' : ` Default: ${key.default ?? 'none'}.`
  const notes = (key.notes ?? []).map((line) => `${indent}#   ${line}`)
  const value = /^[:[]./.test(shown(key)) && key.kind !== 'list' ? JSON.stringify(shown(key)) : shown(key)
  return [`${indent}# ${key.description}.${hint}`, ...notes, `${indent}#${name}: ${value}`]
}

/** The commented example file; loads to the defaults, also when every `#` before a key is removed. */
export function exampleConfig(): string {
  const top = KEYS.filter((key) => depth(key) === 0 && key.kind !== 'section')
  const rest = KEYS.filter((key) => !top.includes(key))
  return `${[HEAD, ...top.flatMap(entry), ...rest.flatMap(entry)].join('\n')}\n`
}

/** The flags of every command that takes a configuration, for `--help`. */
export function flagHelp(): string {
  const flags = LEAVES.filter((key) => key.flag !== null)
  const lines = [
    ['--config.file=FILE', 'Configuration file (YAML). Default: none'] as const,
    ...flags.map((key) => {
      const name = key.kind === 'boolean' ? `--[no-]${key.flag}` : `--${key.flag}=${key.kind.toUpperCase()}`
      return [name, `${key.description}. Default: ${key.default ?? 'none'}`] as const
    }),
  ]
  return lines.map(([name, description]) => `  ${name}\n        ${description}\n`).join('')
}
