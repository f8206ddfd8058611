import type { Scenario } from './scenario.js'

/** `count` small GETs over `connections` connections. */
export const gets = (title: string, count: number, connections: number): Scenario => ({
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
          const { status } = await connection.request('GET /', {})
          if (status !== 200) throw new Error(`${name} answered a GET with ${status}.`)
        }
      }),
    )
  },
  async check() {},
})
