import { traceAdapterCall } from '../tracing/trace-adapter-call.js'
import { isObject } from './is-object.js'
import { isPromise } from './promises.js'

/** The two adapters of an application that may fail. */
export type AdapterName = 'storage' | 'session store'

const sources = new WeakMap<object, AdapterName>()

/**
 * The same adapter, but {@link failedAdapter} recognizes the errors of its methods, and their calls are published on
 * the tracing channel. Methods are called on the adapter itself, which may have private fields. Synchronous results
 * stay synchronous.
 *
 * @param bits the `bitsUpload()` that uses the adapter.
 */
export function watchAdapter<Target extends object>(
  name: AdapterName,
  adapter: Target,
  bits: object,
): Target {
  const on = name === 'storage' ? 'storage' : 'sessions'
  return new Proxy(adapter, {
    get(target, property): unknown {
      const member: unknown = Reflect.get(target, property)
      if (typeof member !== 'function') return member
      const operation = String(property)
      return (...args: unknown[]) =>
        call(name, () =>
          traceAdapterCall({ bits, on, operation, args }, () => Reflect.apply(member, target, args)),
        )
    },
  })
}

/** The adapter that an error, or its cause, came from; `undefined` for other errors. */
export function failedAdapter(error: unknown): AdapterName | undefined {
  if (!isObject(error)) return undefined
  return sources.get(error) ?? failedAdapter(Reflect.get(error, 'cause'))
}

function call(name: AdapterName, work: () => unknown): unknown {
  const fail = (error: unknown): never => {
    if (isObject(error) && !sources.has(error)) sources.set(error, name)
    throw error
  }
  try {
    const result = work()
    return isPromise(result) ? result.then(undefined, fail) : result
  } catch (error) {
    return fail(error)
  }
}
