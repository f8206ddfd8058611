import { tracingChannel } from 'node:diagnostics_channel'
import type { OperationTrace, PacketTrace } from '../../types/tracing.js'

export const packetChannel = tracingChannel<unknown, PacketTrace>('express-bits-upload:packet')
export const operationChannel = tracingChannel<unknown, OperationTrace>('express-bits-upload:operation')
