import { describeVerbProperties } from './verb-properties.js'

describeVerbProperties(1)
