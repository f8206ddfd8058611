import type { OperationTrace } from '../../types/tracing.js'
import { isPromise } from '../util/promises.js'
import { operationChannel } from './channels.js'

const UPLOAD_ID = /^[0-9a-f]{32}$/

interface AdapterCall extends Pick<OperationTrace, 'bits' | 'operation'> {
  readonly on: 'storage' | 'sessions'
  readonly args: readonly unknown[]
}

/**
 * Runs a method of an adapter between `start` and `asyncEnd` of the tracing channel. A synchronous result stays
 * synchronous, unlike with `tracePromise`, and its `asyncEnd` follows immediately, so subscribers need not distinguish
 * the two.
 */
export function traceAdapterCall({ bits, on, operation, args }: AdapterCall, work: () => unknown): unknown {
  if (!operationChannel.hasSubscribers) return work()
  const message: OperationTrace = { bits, on, operation, uploadId: uploadIdIn(on, args), bytes: undefined }
  const end = () => {
    operationChannel.asyncStart.publish(message)
    operationChannel.asyncEnd.publish(message)
  }
  const fail = (error: unknown): never => {
    message.error = error
    operationChannel.error.publish(message)
    end()
    throw error
  }
  const succeed = (result: unknown): unknown => {
    message.bytes = storedBytes(operation, args, result)
    end()
    return result
  }
  return operationChannel.start.runStores(message, (): unknown => {
    let result: unknown
    try {
      result = work()
    } catch (error) {
      operationChannel.end.publish(message)
      return fail(error)
    }
    operationChannel.end.publish(message)
    return isPromise(result) ? result.then(succeed, fail) : succeed(result)
  })
}

/** The storage receives an upload or a destination; the session store a record, an upload id or the name of a lock. */
function uploadIdIn(on: AdapterCall['on'], [subject]: readonly unknown[]): string | undefined {
  const id: unknown =
    typeof subject === 'object' && subject !== null
      ? Reflect.get(subject, 'uploadId')
      : on === 'sessions'
        ? subject
        : undefined
  return typeof id === 'string' && UPLOAD_ID.test(id) ? id : undefined
}

function storedBytes(operation: string, args: readonly unknown[], result: unknown): number | undefined {
  if (operation === 'append' && typeof result === 'number') return result - Number(args[1])
  if (operation === 'writeReply' && typeof result === 'number') return result
  if (operation !== 'publish' || typeof result !== 'object' || result === null) return undefined
  const size: unknown = Reflect.get(result, 'size')
  return typeof size === 'number' ? size : undefined
}
