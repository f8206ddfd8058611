/** What the package says of an option, with the name of the flag in place of the option's. */
export const nameFlags = (sentence: string): string =>
  sentence.replace(
    /^\S+: the option (\w+)/,
    (_, option: string) => `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  )
