/**
 * Request targets that try to escape from the upload directory, and harmless ones that look similar. They assume a
 * `bitsUpload()` at `/uploads` whose directory has `directory/` and `file.txt`.
 */

/** A description of the target, and the target. */
type Attempt = readonly [what: string, path: string]

/** Refused with 403 and E_ACCESSDENIED. */
export const REFUSED: readonly Attempt[] = [
  ['dot dot', '/uploads/../outside/x'],
  ['dot dot, encoded', '/uploads/%2e%2e/outside/x'],
  ['dot dot, half encoded', '/uploads/.%2E/outside/x'],
  ['dot dot with encoded slashes', '/uploads/..%2foutside%2fx'],
  ['dot dot further in', '/uploads/a/b/../../../outside/x'],
  ['dot dot at the end', '/uploads/a/..'],
  ['dot dot with backslashes', '/uploads/..%5coutside%5cx'],
  ['a single dot', '/uploads/./x'],
  ['a drive', '/uploads/C:/x'],
  ['a drive with a backslash', '/uploads/C:%5cx'],
  ['a share', '/uploads/%5c%5cserver%5cshare%5cx'],
  ['a device path', '/uploads/%5c%5c.%5cPhysicalDrive0'],
  ['a stream', '/uploads/file.txt:stream'],
  ['a stream with its type', '/uploads/file.txt::$DATA'],
  ['NUL', '/uploads/file.txt%00.jpg'],
  ['CR and LF', '/uploads/a%0d%0aX-Injected:%20b'],
  ['a C1 control character', '/uploads/a%C2%85b'],
  ['a wildcard', '/uploads/%2a.txt'],
  ['a question mark', '/uploads/a%3fb'],
  ['a trailing dot', '/uploads/file.txt.'],
  ['a trailing space', '/uploads/file.txt%20'],
  ['a directory with a trailing dot', '/uploads/directory./x'],
  ['a device', '/uploads/NUL'],
  ['a device in lower case with an extension', '/uploads/con.txt'],
  ['a device with two extensions', '/uploads/lpt9.tar.gz'],
  ['a device with a superscript digit', '/uploads/COM%C2%B9'],
  ['a device in full-width letters', `/uploads/${encodeURIComponent('ＣＯＮ')}`],
  ['a device with a space before its extension', '/uploads/aux%20.txt'],
  ['a device as a directory', '/uploads/PRN/x'],
  ['the console', '/uploads/CONIN$'],
  ['the reserved name', '/uploads/BITS-Sessions/x.part'],
  ['the reserved name itself', '/uploads/BITS-Sessions'],
  ['the reserved name in another case', '/uploads/bits-SESSIONS/x.part'],
  ['the reserved name with long s', `/uploads/${encodeURIComponent('BITS-Seſſions')}/x.part`],
  [
    'the reserved name in full-width letters',
    `/uploads/${encodeURIComponent('ＢＩＴＳ－Ｓｅｓｓｉｏｎｓ')}/x`,
  ],
  ['the reserved name with a zero-width space', `/uploads/${encodeURIComponent('BITS-Sess​ions')}/x`],
  ['the reserved name with a soft hyphen', `/uploads/${encodeURIComponent('BITS-Sess\u00adions')}/x`],
  ['the reserved name with a variation selector', `/uploads/${encodeURIComponent('BITS-Sessions️')}/x`],
  ['the reserved name with a dot', '/uploads/BITS-Sessions./x'],
  ['the reserved name further in', '/uploads/a/BITS-Sessions/x'],
  ['the reserved name in its short form', '/uploads/BITS-S~1/x'],
  ['a name that is only long until it is normalized', `/uploads/${'a%CC%81'.repeat(1000)}`],
  ['65 segments', `/uploads/${'d/'.repeat(64)}x`],
  ['more nested directories than anybody has', `/uploads/${'d/'.repeat(1400)}x`],
  ['a name of 256 bytes', `/uploads/${'n'.repeat(256)}`],
  ['a name of 256 bytes in fewer characters', `/uploads/${encodeURIComponent(`${'漢'.repeat(85)}n`)}`],
  ['a path longer than the system takes', `/uploads/${`${'p'.repeat(250)}/`.repeat(20)}x`],
  ['a file in the way of a directory', '/uploads/file.txt/x'],
  ['a file in the way, further up', '/uploads/file.txt/a/b/c'],
]

/** Answered with 400 and E_INVALIDARG: they name a directory, or nothing at all. */
export const NO_FILES: readonly Attempt[] = [
  ['an overlong encoding of a dot', '/uploads/%c0%ae%c0%ae/outside/x'],
  ['a percent sign alone', '/uploads/100%'],
  ['no hexadecimal digits', '/uploads/%zz'],
  ['half a character', '/uploads/%e6%bc'],
  ['a lone surrogate', '/uploads/%ed%a0%80'],
  ['the mount point', '/uploads'],
  ['the mount point with a slash', '/uploads/'],
  ['a directory', '/uploads/directory'],
  ['a directory by its slash', '/uploads/new/'],
]

/** Accepted and stored below the directory under this name. */
export const INSIDE: readonly (readonly [what: string, path: string, name: string])[] = [
  ['double encoding is decoded once', '/uploads/%252e%252e%252foutside%252fx', '%2e%2e%2foutside%2fx'],
  ['an absolute path', '/uploads//etc/passwd', 'etc/passwd'],
  ['an absolute path, encoded', '/uploads/%2fetc%2fpasswd', 'etc/passwd'],
  ['full-width dots', `/uploads/${encodeURIComponent('．．')}/x`, '．．/x'],
  ['a full-width slash', `/uploads/${encodeURIComponent('..／outside／x')}`, '..／outside／x'],
  ['a division slash', `/uploads/${encodeURIComponent('a∕b')}`, 'a∕b'],
  ['three dots and a letter', '/uploads/...x', '...x'],
  ['a tilde', '/uploads/~/.ssh/config', '~/.ssh/config'],
  ['almost a device', '/uploads/console/com10.txt', 'console/com10.txt'],
  ['a name of 255 bytes', `/uploads/${'n'.repeat(255)}`, 'n'.repeat(255)],
  ['a name of 255 bytes in characters', `/uploads/${encodeURIComponent('漢'.repeat(85))}`, '漢'.repeat(85)],
  ['64 segments', `/uploads/${'d/'.repeat(63)}x`, `${'d/'.repeat(63)}x`],
  ['a decomposed character is composed', '/uploads/e%CC%81', 'é'],
  ['another case', '/uploads/FILE.TXT', 'FILE.TXT'],
  ['a property of objects', '/uploads/__proto__', '__proto__'],
  ['a target in absolute form', 'http://elsewhere/uploads/x', 'x'],
  ['a query is not part of it', '/uploads/x?../../outside', 'x'],
]
