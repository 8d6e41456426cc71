/** The HTTP interface. To add a route: one file in routes/, one line in ROUTES, its test. */
import { Hono } from 'hono'
import { bind } from './binder.ts'
import type { ApiDeps } from './deps.ts'
import { bindDocs } from './docs.ts'
import { answerErrors, type Env, observe } from './http.ts'
import { Mount } from './mount.ts'
import { bindOperations, directPaths } from './operations.ts'
import type { Route } from './route.ts'
import { alerts } from './routes/alerts.ts'
import { collect } from './routes/collect.ts'
import { drift } from './routes/drift.ts'
import { explain } from './routes/explain.ts'
import { failure } from './routes/failure.ts'
import { forecast } from './routes/forecast.ts'
import { health } from './routes/health.ts'
import { history } from './routes/history.ts'
import { ingest } from './routes/ingest.ts'
import { inventory } from './routes/inventory.ts'
import { list } from './routes/list.ts'
import { model } from './routes/model.ts'
import { openapi } from './routes/openapi.ts'
import { performance } from './routes/performance.ts'
import { score } from './routes/score.ts'
import { putSettings, settings } from './routes/settings.ts'
import { signals } from './routes/signals.ts'
import { targets } from './routes/targets.ts'

export const ROUTES: readonly Route[] = [
  targets,
  health,
  history,
  signals,
  inventory,
  explain,
  drift,
  forecast,
  failure,
  settings,
  putSettings,
  ingest,
  collect,
  score,
  alerts,
  model,
  performance,
]

export function createApi(deps: ApiDeps): Hono<Env> {
  const app = new Hono<Env>()
  app.use(observe(deps, directPaths(deps)))
  const mount = new Mount(app, deps)
  bindOperations(mount, deps)
  const all: Route[] = [list(ROUTES), ...ROUTES]
  bind(mount, [...all, openapi(all)], deps)
  bindDocs(mount, all, deps)
  mount.seal()
  answerErrors(app, deps)
  return app
}

export type {
  AlertQuery,
  ApiDeps,
  ApiLogger,
  ForestExplanation,
  HistoryPoint,
  HistoryQuery,
  IngestOutcome,
  LatencyFacts,
  ModelFacts,
  PerformanceFacts,
  PushedRow,
  RangeExplanation,
  Rejection,
  ReloadOutcome,
  ScoredRow,
  ScoreOutcome,
  ScoreTable,
  ShapFeatureValue,
  SignalFacts,
  TargetState,
} from './deps.ts'
export { HISTORY_FIELDS } from './deps.ts'
export { ApiError } from './errors.ts'
export { type Declared, routesOf } from './mount.ts'
export { defineRoute, type Route, type Scope } from './route.ts'
export { createServer, type RunningServer, type ServerOptions } from './server.ts'
