import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'

/** Options of a {@link bitsDashboard}. `undefined` stands for what is left out. */
export interface BitsDashboardOptions {
  /**
   * The URL path below which your app serves the uploaded files, or an absolute URL: names of finished uploads become
   * links to their files. Default: no links.
   */
  files?: string | undefined
}

/** No other scheme: links must not run scripts. */
const isPathOrUrl: Check = (value) =>
  typeof value === 'string' && /^(?:https?:\/\/|\/(?!\/))[^\s"<>]*$/i.test(value)
    ? undefined
    : "a path that begins with a slash, or a URL: '/uploads'"

const CHECKS: OptionChecks<BitsDashboardOptions> = { files: isPathOrUrl }

/** @throws OptionError that names the option, its value and what to give instead. */
export function checkDashboardOptions(options: BitsDashboardOptions): void {
  checkEach({ name: 'bitsDashboard', checks: CHECKS }, options)
}
