import { type Check, checkEach, type OptionChecks } from '../validation/check-options.js'
import { isBoolean } from '../validation/value-checks.js'

/** Options of a {@link bitsDashboard}. `undefined` stands for what is left out. */
export interface BitsDashboardOptions {
  /**
   * The URL path below which your app serves the uploaded files, or an absolute URL: names of finished uploads become
   * links to their files. In a list of several `bitsUpload()`, each has its own. Default: no links.
   */
  files?: string | undefined
  /**
   * Adds buttons that cancel a session and remove expired ones, for everyone who can open the page. Pages of other
   * sites cannot trigger them. Default: false.
   */
  actions?: boolean | undefined
}

/** No other scheme: links must not run scripts. */
export const isPathOrUrl: Check = (value) =>
  typeof value === 'string' && /^(?:https?:\/\/|\/(?!\/))[^\s"<>]*$/i.test(value)
    ? undefined
    : "a path that begins with a slash, or a URL: '/uploads'"

const DASHBOARD_OPTIONS: OptionChecks<BitsDashboardOptions> = { files: isPathOrUrl, actions: isBoolean }

/** @throws OptionError that names the option, its value and what to use instead. */
export function checkDashboardOptions(options: BitsDashboardOptions): void {
  checkEach({ name: 'bitsDashboard', checks: DASHBOARD_OPTIONS }, options)
}
