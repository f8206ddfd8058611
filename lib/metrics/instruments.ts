import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300]
const UPLOAD_SECONDS = [1, 10, 60, 300, 1800, 3600, 21_600, 86_400, 604_800]
const FILE_BYTES = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12]

/** The metrics of a registry. */
export interface Instruments {
  readonly packets: Counter<'packet' | 'status' | 'hresult'>
  readonly packetDuration: Histogram<'packet'>
  readonly packetsInFlight: Gauge
  readonly receivedBytes: Counter
  readonly sessions: Counter<'event'>
  readonly errors: Counter
  readonly uploadDuration: Histogram
  readonly fileSize: Histogram
  readonly operationDuration: Histogram<'on' | 'operation' | 'outcome'>
}

const known = new WeakMap<Registry, Map<string, Instruments>>()

/** The metrics of a registry and prefix, created once: several `bitsUpload()` may count into the same ones. */
export function instrumentsOf(registry: Registry, prefix: string): Instruments {
  const byPrefix = known.get(registry) ?? new Map<string, Instruments>()
  known.set(registry, byPrefix)
  const instruments = byPrefix.get(prefix) ?? createInstruments(registry, prefix)
  byPrefix.set(prefix, instruments)
  return instruments
}

function createInstruments(registry: Registry, prefix: string): Instruments {
  const registers = [registry]
  const named = (name: string, help: string) => ({ name: prefix + name, help, registers })
  return {
    packets: new Counter({
      ...named('packets_total', 'Packets answered, by type, HTTP status and BITS error code.'),
      labelNames: ['packet', 'status', 'hresult'],
    }),
    packetDuration: new Histogram({
      ...named('packet_duration_seconds', 'Time to answer a packet, including its body.'),
      labelNames: ['packet'],
      buckets: DURATION_BUCKETS,
    }),
    packetsInFlight: new Gauge(named('packets_in_flight', 'Packets being received or answered.')),
    receivedBytes: new Counter(named('received_bytes_total', 'Bytes of files stored.')),
    sessions: new Counter({
      ...named('sessions_total', 'Sessions created, uploaded, cancelled and expired.'),
      labelNames: ['event'],
    }),
    errors: new Counter(named('errors_total', 'Unexpected failures: the event "error".')),
    uploadDuration: new Histogram({
      ...named('upload_duration_seconds', 'Time from Create-Session to the published file.'),
      buckets: UPLOAD_SECONDS,
    }),
    fileSize: new Histogram({
      ...named('file_size_bytes', 'Sizes of published files.'),
      buckets: FILE_BYTES,
    }),
    operationDuration: new Histogram({
      ...named(
        'operation_duration_seconds',
        'Time of calls to the storage, the session store and the application.',
      ),
      labelNames: ['on', 'operation', 'outcome'],
      buckets: DURATION_BUCKETS,
    }),
  }
}
