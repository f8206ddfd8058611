import { describeVerbProperties } from './verb-properties.js'

describeVerbProperties(0.2)
