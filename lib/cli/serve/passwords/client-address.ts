import { isIP } from 'node:net'

/**
 * Returns the key under which a client's failures are counted: an IPv4 address itself, or the /64 of an IPv6 address,
 * because one client usually controls all of that.
 */
export function addressKey(address = ''): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? []
  if (mapped !== undefined) return mapped
  return isIP(address) === 6 ? networkOf(address) : address
}

function networkOf(address: string): string {
  const [withoutZone = ''] = address.split('%', 1)
  const [head = '', tail] = withoutZone.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0')
  return [...first, ...zeros, ...last].slice(0, 4).join(':')
}
