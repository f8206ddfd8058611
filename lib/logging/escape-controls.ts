/** Control characters (C0 and C1), marks that change the direction of text, line separators, unpaired surrogates. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu
const UNSAFE_BUT_LINE_BREAKS = /[^\P{Cc}\n\t]|[\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu

/**
 * Escapes characters with which text from outside could forge log lines, control a terminal or reorder what is
 * displayed: `\x1b`, `\u202e`. All text that is logged or displayed passes through here once.
 * @param keepLineBreaks keeps line feeds and tabs, for stack traces and other text of several lines.
 */
export const escapeControls = (text: string, { keepLineBreaks = false } = {}): string =>
  text.replace(keepLineBreaks ? UNSAFE_BUT_LINE_BREAKS : UNSAFE, escapeCharacter)

function escapeCharacter(character: string): string {
  const digits = character.charCodeAt(0).toString(16)
  return digits.length <= 2 ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`
}
