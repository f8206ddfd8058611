/** An IP address without the prefix of IPv4 addresses on sockets that listen to IPv6 as well: `::ffff:192.0.2.1`. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d)/i, '')
