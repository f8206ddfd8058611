/** The head of a response of any HTTP client. */
export interface ResponseHead {
  readonly status: number
  /** Value of a header, the first of several; `undefined` when it is missing or empty. */
  header(name: string): string | undefined
}
