import { isIP } from 'node:net'

/**
 * The key under which a client's address is held to account: an IPv4 address as it is, an IPv6 address by its /64, as
 * one client commonly has all of that to choose from.
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
