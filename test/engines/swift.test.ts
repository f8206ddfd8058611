import { describeWithEngine } from '../support/engines.js'
import { testOnEngine } from './s3-tests.js'
import { hasSwift, startSwift } from './swift.js'

describeWithEngine("OpenStack Swift's s3api", hasSwift, () => testOnEngine(startSwift))
