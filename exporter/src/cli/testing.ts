/** For tests: a command run in this process, and what it told. */
import { run } from './index.ts'
import type { Io } from './io.ts'

export const caller =
  (cwd: string) =>
  async (...argv: string[]): Promise<{ code: number; out: string; err: string }> => {
    const told = { out: '', err: '' }
    const io = {
      out(text: string) {
        told.out += text
      },
      err(text: string) {
        told.err += text
      },
      env: {},
      cwd,
      readFile: () => '',
      process: { on: () => undefined, off: () => undefined, exit: () => undefined },
    } satisfies Io
    return { code: await run(argv, io), ...told }
  }
