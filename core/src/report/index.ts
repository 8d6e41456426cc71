/** What reports for people are made of: one HTML file each, with charts as inline SVG. */
export * from './charts.ts'
export * from './html.ts'
export * from './style.ts'
export * from './time.ts'
