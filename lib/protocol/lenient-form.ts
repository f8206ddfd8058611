/** A constant, because the bundler turns this literal into a call of `RegExp`. */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu

/**
 * The form in which lenient file systems compare names: compatibility forms replaced, without invisible characters.
 *
 * @param name at most 255 characters: reordering combining marks takes quadratic time.
 */
export const lenientForm = (name: string): string => name.normalize('NFKC').replace(IGNORABLE, '')
