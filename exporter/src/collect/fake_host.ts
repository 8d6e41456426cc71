import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { FakeClock } from './fake_clock.ts'
import { KernelFiles } from './kernel_files.ts'

const FIXTURES = new URL('../../fixtures/collect/', import.meta.url).pathname

/**
 * A copy of the fixture host whose files change in place under open descriptors, as the kernel's do. For tests.
 * `before` and `after` are two seconds apart.
 */
export class FakeHost {
  readonly root = mkdtempSync(join(tmpdir(), 'portent-host-'))
  readonly proc = join(this.root, 'proc')
  readonly sys = join(this.root, 'sys')
  readonly clock = new FakeClock()
  readonly files = new KernelFiles(this.clock, { proc: this.proc, sys: this.sys })

  constructor(fixture: 'before' | 'empty' = 'before') {
    mkdirSync(this.proc)
    if (fixture === 'before') this.#copy(join(FIXTURES, 'before'), '')
  }

  /** Two seconds pass on the host. */
  async later(): Promise<void> {
    this.#copy(join(FIXTURES, 'after'), '')
    await this.clock.advance(2000)
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true })
    writeFileSync(join(this.root, path), content)
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8')
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true })
  }

  end(): void {
    this.files.close()
    rmSync(this.root, { recursive: true, force: true })
  }

  #copy(from: string, to: string): void {
    for (const name of readdirSync(from)) {
      if (statSync(join(from, name)).isDirectory()) this.#copy(join(from, name), join(to, name))
      else this.write(join(to, name), readFileSync(join(from, name)))
    }
  }
}
