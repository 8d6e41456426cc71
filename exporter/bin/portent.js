#!/usr/bin/env -S node --max-semi-space-size=1 --v8-pool-size=1
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)
if (!existsSync(main)) {
  console.error('portent is not built yet: run `npm run build` in the repository first')
  process.exit(1)
}
await import(main.href)
