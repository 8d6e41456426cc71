import { budgetOf } from '@portent/core'
import { z } from 'zod'
import type { ApiDeps } from '../deps.ts'
import { findTarget, finite, share, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const WEEK_SECONDS = 604_800
/** An alarm closes after this many quiet rows, so none is shorter. */
const SHORTEST_ALARM_ROWS = 11

const response = z.strictObject({
  target: z.string(),
  sensitivity: z.int().describe('1 (few alarms) to 10 (many)'),
  budget_ratio: share.describe('Share of rows of a healthy target that may be in alarm'),
  alarm_minutes_a_week: finite,
  alarms_a_week: finite.describe('At most about so many on a healthy target'),
  meaning: z.string(),
})

export const settings = defineRoute({
  method: 'GET',
  path: '/targets/:target/settings',
  scope: 'read',
  summary: 'Settings of a target and what they mean',
  description: 'One knob: the sensitivity. Each step multiplies the share of rows in alarm by 1.6.',
  errors: [404],
  params: targetParams,
  response,
  handler: ({ deps, params }) => describe(deps, findTarget(deps, params.target).target),
})

export const putSettings = defineRoute({
  method: 'PUT',
  path: '/targets/:target/settings',
  scope: 'write',
  summary: 'Changes settings of a target',
  description: 'Takes effect with the next row and is kept over restarts.',
  errors: [404, 413, 415],
  example: { sensitivity: 6 },
  params: targetParams,
  body: z.strictObject({
    sensitivity: z.int().min(1).max(10).describe('1 (few alarms) to 10 (many); 5 is the default'),
  }),
  response,
  async handler({ deps, params, body }) {
    const { target } = findTarget(deps, params.target)
    await deps.setSensitivity(target, body.sensitivity)
    return describe(deps, target)
  },
})

function describe(deps: ApiDeps, target: string): z.input<typeof response> {
  const sensitivity = deps.sensitivity(target)
  const budget = budgetOf(sensitivity)
  const minutes = (budget * WEEK_SECONDS) / 60
  const alarms = (budget * WEEK_SECONDS) / deps.scoreIntervalSeconds / SHORTEST_ALARM_ROWS
  const about = Math.max(1, Math.round(alarms))
  return {
    target,
    sensitivity,
    budget_ratio: budget,
    alarm_minutes_a_week: minutes,
    alarms_a_week: alarms,
    meaning:
      `Sensitivity ${sensitivity} of 10: on a healthy target about ${about} short alarms a week at most, ` +
      `${Math.round(minutes)} minutes in alarm in all (${(budget * 100).toPrecision(2)} % of the time).`,
  }
}
