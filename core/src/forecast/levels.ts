/** Levels of `HorizonForecast.quantiles`. */
export const FORECAST_QUANTILES = [0.05, 0.1, 0.5, 0.9, 0.95] as const
