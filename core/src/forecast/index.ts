/** Forecasts of one signal with honest intervals. See {@link SignalForecaster}. */
export { type ForecasterOptions, type HorizonForecast, SignalForecaster } from './forecaster.ts'
export { FORECAST_QUANTILES } from './levels.ts'
