import type { Scenario } from './scenario.js'

/**
 * `count` small GETs over `connections` connections.
 *
 * @param status of every answer; `undefined` if the contenders differ.
 */
export const gets = (
  title: string,
  count: number,
  connections: number,
  status: number | undefined,
): Scenario => ({
  title,
  connections,
  amount: count,
  unit: 'requests',
  per: { amount: 1000, name: '1,000 requests' },
  async run({ name }, open) {
    let left = count
    await Promise.all(
      open.map(async (connection) => {
        while (left-- > 0) {
          const answer = await connection.request('GET /', {})
          if (status !== undefined && answer.status !== status)
            throw new Error(`${name} answered a GET with ${answer.status}.`)
        }
      }),
    )
  },
  async check() {},
})
