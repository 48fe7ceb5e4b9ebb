export { declareReaderContract, type ReaderContractParams, type ReaderExample } from './readerContract.ts';
