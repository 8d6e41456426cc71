/** The metrics text of many series, every value changed: ours against prom-client. */
import { Gauge, Registry } from 'prom-client'
import { joinFamilies, TargetTable } from '../exporter/dist/publish/exposition.js'
import { inTurns } from './support/measure.mjs'
import { ms, row, us } from './support/row.mjs'

const TARGETS = 250
const SIGNALS = Array.from({ length: 20 }, (_, i) => `signal_${i}`)
const FAMILIES = ['portent_a_ratio', 'portent_b_ratio', 'portent_c_seconds', 'portent_d_bytes', 'portent_e_value']
const SERIES = TARGETS * SIGNALS.length * FAMILIES.length

export default async function render() {
  const targets = Array.from({ length: TARGETS }, (_, i) => `host-${i}`)
  let value = 0
  const next = () => {
    value += 0.37
    return value % 100
  }

  const registry = new Registry()
  const labels = ['target', 'signal']
  const gauges = FAMILIES.map((name) => new Gauge({ name, help: name, labelNames: labels, registers: [registry] }))
  const specs = FAMILIES.map((name) => ({ name, help: name, type: 'gauge', labels, when: 'always' }))
  const table = new TargetTable(specs, 10_000)
  const sizes = {}

  const times = await inTurns(
    {
      async 'prom-client'() {
        for (const gauge of gauges)
          for (const target of targets) for (const signal of SIGNALS) gauge.set({ target, signal }, next())
        sizes.theirs = Buffer.from(await registry.metrics()).length
      },
      async own() {
        for (const target of targets) {
          table.write(target, (writer) => {
            for (let f = 0; f < FAMILIES.length; f++) for (const signal of SIGNALS) writer.put(f, signal, next())
          })
        }
        sizes.own = joinFamilies(await table.render(), 'text').length
      },
    },
    { rounds: 25 },
  )
  const each = (name) => us((1000 * times[name]) / SERIES)
  return [
    row(`rendering ${SERIES.toLocaleString('en')} series against prom-client`, {
      measured: `${ms(times.own)} (${each('own')} a series, ${sizes.own} bytes) against ${ms(times['prom-client'])} (${each('prom-client')} a series, ${sizes.theirs} bytes)`,
      value: times.own / times['prom-client'],
      goal: 0.35,
    }),
  ]
}
